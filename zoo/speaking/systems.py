"""The systems of `zoo synthesize`, and which options belong to which."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoo.speaking.atvg_options import AtvgSettings
from zoo.speaking.cascaded_options import CascadedSettings, write_flag
from zoo.speaking.options import SynthesisSettings
from zoo.speaking.styleheat_options import StyleHEATSettings

FACIAL = "facial"

Settings = SynthesisSettings | CascadedSettings | AtvgSettings | StyleHEATSettings

_RECORDS: dict[str, Any] = {
    FACIAL: SynthesisSettings,
    "cascaded": CascadedSettings,
    "atvg": AtvgSettings,
    "styleheat": StyleHEATSettings,
}
SYSTEMS = tuple(_RECORDS)


def make_settings(system: str, given: Mapping[str, Any]) -> Settings:
    """The settings of a system; ValueError where an option is another's, or see there."""
    own = {field.name for field in dataclasses.fields(_RECORDS[system])}
    for other in _RECORDS.values():
        for field in dataclasses.fields(other):
            if field.name not in own and given[field.name] != field.default:
                raise ValueError(f"{write_flag(field.name)} is no option of --system {system}")
    if given["audio"] is None and system != "styleheat":
        raise ValueError(f"--system {system}: give --audio")
    settings: Settings = _RECORDS[system](
        **{name: value for name, value in given.items() if name in own}
    )
    return settings
