"""How far a search is, in words."""

from activities.healing.search.request import SearchProgress


def progress_line(progress: SearchProgress) -> str:
    """How far the search is, in one line."""
    if not progress.total:
        return "measuring which lines the failing tests run"
    line = f"{progress.ran:,} of {progress.total:,} candidates tried"
    if progress.ran >= progress.seconds >= 1:
        line += f", {progress.ran / progress.seconds:,.0f} a second"
    if progress.suspected:
        line += f", suspecting {progress.suspected}"
    return line + (f"; best: {progress.best}" if progress.best else "")
