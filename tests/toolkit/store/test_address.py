"""Which paths are addresses of a store."""

from pathlib import Path

import pytest

from toolkit.store.address import as_folder, find_address, is_safe


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("s3://bucket/set", "s3://bucket/set"),
        (Path("s3://bucket/set"), "s3://bucket/set"),  # which has lost a slash
        ("s3://bucket/set/", "s3://bucket/set"),
        ("gs://bucket", "gs://bucket"),
        ("memory://a/b c", "memory://a/b c"),
        ("videos", None),
        ("/abs/s3", None),
        ("c:/videos", None),
        ("http://host/a.mp4", None),
        ("file:///videos", None),
    ],
)
def test_an_address_is_found_by_its_scheme_also_in_a_path(
    path: Path | str, address: str | None
) -> None:
    assert find_address(path) == address


@pytest.mark.parametrize("text", ["s3://", "s3://bucket//set", "s3://bucket/../other", "s3:/./a"])
def test_an_address_that_could_lead_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write s3://BUCKET/FOLDER"):
        find_address(text)


def test_a_file_address_is_a_local_path() -> None:
    assert as_folder("file:///data/set") == Path("/data/set")
    assert as_folder(Path("file:///data/set")) == Path("/data/set")
    assert as_folder("data/set") == Path("data/set")


@pytest.mark.parametrize(
    "key", ["../a", "a/../b", "/a", "a//b", ".tmp/x", "a/.b", "a\0b", "x" * 256, ""]
)
def test_a_key_that_would_lie_elsewhere_or_hidden_is_no_file(key: str) -> None:
    assert not is_safe(key)
    assert is_safe("videos/ann b/ü.mp4")
