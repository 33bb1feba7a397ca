"""REST methods by section; importing this package registers them all."""

from importlib import import_module
from pkgutil import iter_modules

from local.portal.engine import register_families
from local.portal.parameters import ask_parameters
from local.portal.static import register_answers

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
register_answers()
register_families()
ask_parameters()
