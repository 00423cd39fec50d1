import msgspec
import report_samples as samples

from cachecheck.reporting.roster import render


def test_roster_tells_the_findings_that_decide_its_exit_code() -> None:
    drifting = samples.finding(
        "F005",
        name="version-drift",
        severity="warning",
        cache=None,
        message="Python 3.13.0 on web-3; Python 3.12.1 on the other 6 of 9 views",
    )
    unseen = samples.finding("F004", severity="warning", message="web-1: 2 of 3 workers heard")
    known = samples.finding("F006", severity="info", message="different releases")
    report = msgspec.structs.replace(
        samples.healthy(), findings=(drifting, unseen, known), undecided=(unseen.message,)
    )
    text = render(report)
    assert "WARNING F005 version-drift: Python 3.13.0 on web-3; Python" in text
    assert "F006" not in text
    assert text.count("web-1: 2 of 3 workers heard") == 1
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "F0" not in render(samples.healthy())
