"""Reading JUnit XML that foreign code wrote: no entities, no end that it could withhold.

There is no one JUnit format. What the dialects share are test cases in suites, which nest, with a
child for how a case failed; attributes are optional all over.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

_MAXIMUM_CASES = 100_000
_MAXIMUM_DEPTH = 50
_MAXIMUM_TEXT = 100_000
_RED = {"failure", "error"}
_OUTPUT = {"system-out", "system-err"}

# Reporters copy colours and other control characters into reports, where XML forbids them.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_FORBIDDEN_REFERENCE = re.compile(
    rb"&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|x0*(?:[0-8bcef]|1[\da-f]));", re.I
)
_OTHER_ENCODING = re.compile(rb"""^<\?xml[^>]*\sencoding=["'](?!utf-?8["'])""", re.I)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")


class UnreadableReport(Exception):
    """The report cannot be read; the message is one line."""


@dataclass
class Problem:
    """How a case, or a whole suite, failed."""

    kind: str = ""
    message: str = ""
    text: str = ""


@dataclass
class TestCase:
    """A `testcase` element, or a suite that failed as a whole."""

    __test__ = False

    suites: tuple[str, ...]
    """The names of the suites around it, from the outermost in."""
    name: str
    class_name: str = ""
    file: str = ""
    """Its own `file` attribute, or that of the nearest suite which has one."""
    skipped: bool = False
    problem: Problem | None = None
    output: str = ""
    whole_suite: bool = False


@dataclass
class _Suite:
    name: str
    file: str
    claimed: int
    """How many failures and errors its attributes speak of."""
    children: int = 0
    problem: Problem | None = None
    output: str = ""


@dataclass
class _Reading:
    cases: list[TestCase] = field(default_factory=list)
    suites: list[_Suite] = field(default_factory=list)
    case: TestCase | None = None
    problem: Problem | None = None
    """The problem whose text comes now."""
    text: list[str] | None = None
    room: int = 0
    depth: int = 0

    def start(self, tag: str, given: dict[str, str]) -> None:
        attributes = {name: value[:_MAXIMUM_TEXT] for name, value in given.items()}
        self.depth += 1
        if self.depth > _MAXIMUM_DEPTH:
            raise UnreadableReport(f"more than {_MAXIMUM_DEPTH} elements inside each other")
        if self.depth == 1 and tag not in ("testsuites", "testsuite"):
            raise UnreadableReport(f"the root is `{tag}` and not `testsuites` or `testsuite`")
        if tag == "testsuite":
            self._start_suite(attributes)
        elif tag == "testcase":
            self._start_case(attributes)
        elif tag == "skipped" and self.case is not None:
            self.case.skipped = True
        elif tag in _RED:
            self._start_problem(attributes)
        elif tag in _OUTPUT:
            self._collect()

    def end(self, tag: str) -> None:
        self.depth -= 1
        if tag == "testsuite" and self.suites:
            self._end_suite(self.suites.pop())
        elif tag == "testcase":
            self.case = None
        elif tag in _RED and self.problem is not None:
            self.problem.text = self._collected()
            self.problem = None
        elif tag in _OUTPUT:
            text = self._collected()
            if self.case is not None:
                self.case.output += text
            elif self.suites:
                self.suites[-1].output += text

    def characters(self, text: str) -> None:
        if self.text is not None and self.room > 0:
            self.text.append(text[: self.room])
            self.room -= len(text)

    def doctype(self, *_: object) -> None:
        raise UnreadableReport("it has a document type, which a test report does not need")

    def _start_suite(self, attributes: dict[str, str]) -> None:
        if self.suites:
            self.suites[-1].children += 1
        around = self.suites[-1].file if self.suites else ""
        claimed = sum(_number(attributes.get(name, "")) for name in ("failures", "errors"))
        name = attributes.get("name", "")
        self.suites.append(_Suite(name, attributes.get("file") or around, claimed))

    def _start_case(self, attributes: dict[str, str]) -> None:
        if len(self.cases) >= _MAXIMUM_CASES:
            raise UnreadableReport(f"more than {_MAXIMUM_CASES:,} test cases")
        around = self.suites[-1].file if self.suites else ""
        if self.suites:
            self.suites[-1].children += 1
        states = {attributes.get("status", "").lower(), attributes.get("result", "").lower()}
        self.case = TestCase(
            suites=tuple(suite.name for suite in self.suites if suite.name),
            name=attributes.get("name", ""),
            class_name=attributes.get("classname") or attributes.get("class", ""),
            file=attributes.get("file") or around,
            skipped=not states.isdisjoint({"skipped", "disabled", "notrun", "ignored", "pending"}),
        )
        self.cases.append(self.case)

    def _start_problem(self, attributes: dict[str, str]) -> None:
        problem = Problem(attributes.get("type", ""), attributes.get("message", ""))
        if self.case is not None:
            # Of several the first tells what happened first.
            self.case.problem = self.case.problem or problem
        elif self.suites:
            self.suites[-1].problem = self.suites[-1].problem or problem
        self.problem = problem
        self._collect()

    def _end_suite(self, suite: _Suite) -> None:
        problem = suite.problem
        if problem is None and suite.claimed and not suite.children:
            problem = Problem(message=f"{suite.claimed} failures or errors, and no test case")
        names = tuple(each.name for each in self.suites if each.name)
        if problem is not None:
            self.cases.append(
                TestCase(
                    suites=names,
                    name=suite.name,
                    file=suite.file,
                    problem=problem,
                    output=suite.output,
                    whole_suite=True,
                )
            )

    def _collect(self) -> None:
        self.text, self.room = [], _MAXIMUM_TEXT

    def _collected(self) -> str:
        text, self.text = "".join(self.text or ()), None
        return text


def read_cases(data: bytes) -> list[TestCase]:
    """The test cases of one report, in its order.

    Raises UnreadableReport for what is no JUnit XML, is cut short, is out of all proportion, or
    declares a document type: without one there are no entities that could be expanded.
    """
    parser = expat.ParserCreate()
    reading = _Reading()
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.characters
    parser.StartDoctypeDeclHandler = reading.doctype
    try:
        parser.Parse(_cleaned(data), True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise UnreadableReport(f"not well-formed XML: {error}") from error
    return reading.cases


def _cleaned(data: bytes) -> bytes:
    if data.startswith(_UTF_16):
        return data
    data = _FORBIDDEN_REFERENCE.sub(b"", _FORBIDDEN.sub(b"", data))
    if _OTHER_ENCODING.match(data):
        return data
    return data.decode("utf-8-sig", "replace").lstrip().encode()


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0
