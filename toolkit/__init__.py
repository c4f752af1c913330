"""Raw talking-head videos in, training shards out.

Names are imported when they are first asked for: `import toolkit` loads no large library. Which
there are, and where each comes from, stands in `__init__.pyi`. The main job is
`from toolkit.ingest import ingest`.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_PUBLIC = {
    f"{__name__}.{name}": f"{__name__}.dataset.{name}"
    for name in ("manifest", "shard", "split", "stats", "validate", "windows")
} | {f"{__name__}.options": f"{__name__}.ingest.options"}
"""Module as users import it -> where it stands."""


class _PublicModules(MetaPathFinder, Loader):
    """Makes `from toolkit.windows import WindowReader` work, and the like."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in _PUBLIC else None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(_PUBLIC[module.__name__])


sys.meta_path.append(_PublicModules())
