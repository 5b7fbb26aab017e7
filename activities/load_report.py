"""A load test as one HTML page that needs nothing from anywhere."""

from collections.abc import Sequence
from html import escape

from activities.k6_summary import LoadSummary, milliseconds

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1f24}table{border-collapse:collapse;margin:1rem 0}td,th{padding:.3rem .8rem;"
    "border-bottom:1px solid #d0d7de;text-align:left}td.n{text-align:right}"
    ".kept{color:#1a7f37}.crossed{color:#cf222e}.wide{width:24rem}.bar{background:#54aeff;height:.8rem}"
)
_TREND = ("min", "med", "avg", "p(90)", "p(95)", "max")


def load_report(
    summary: LoadSummary, *, title: str, verdict: str, regressions: Sequence[str]
) -> bytes:
    """The page: verdict, thresholds, response times, and what is worse than in accepted runs."""
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1><p>{escape(verdict)}</p>",
    ]
    parts += [f"<p class='crossed'>Regression: {escape(line)}</p>" for line in regressions]
    thresholds = summary.thresholds()
    if thresholds:
        parts.append("<h2>Thresholds</h2><table>")
        for each in thresholds:
            word = "kept" if each.kept else "crossed"
            parts.append(f"<tr><td>{escape(str(each))}<td class='{word}'>{word}")
        parts.append("</table>")
    parts += ["<h2>Response times</h2><table>", *_times(summary), "</table>"]
    parts += ["<h2>All metrics</h2><table><tr><th>metric<th>values", *_metrics(summary), "</table>"]
    return "\n".join(parts).encode()


def _times(summary: LoadSummary) -> list[str]:
    values = {name: summary.value("http_req_duration", name) for name in _TREND}
    longest = max((value for value in values.values() if value), default=0.0)
    return [
        f"<tr><td>{name}<td class='n'>{milliseconds(value)}"
        f"<td class='wide'><div class='bar' style='width:{100 * value / longest:.1f}%'></div>"
        for name, value in values.items()
        if value is not None and longest
    ]


def _metrics(summary: LoadSummary) -> list[str]:
    return [
        f"<tr><td>{escape(name)}<td>"
        + escape(", ".join(f"{key} {value:.6g}" for key, value in metric.values.items() if value))
        for name, metric in sorted(summary.metrics.items())
    ]
