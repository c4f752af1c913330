"""The log of a run's stages."""

import pytest

from zoo.training.stages import StageLog


def test_a_stage_is_done_once_and_tells_how_often_it_began(tmp_path):
    log, done = StageLog(tmp_path / "run"), []

    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        log.run("renderer", fail)
    assert log.tabulate() == []
    for _ in range(2):
        log.run("renderer", lambda: done.append("renderer"))
    log.run("ingest", lambda: done.append("ingest"))
    assert done == ["renderer", "ingest"]
    rows = {row["stage"]: row["starts"] for row in StageLog(tmp_path / "run").tabulate()}
    assert rows == {"renderer": 2, "ingest": 1}
