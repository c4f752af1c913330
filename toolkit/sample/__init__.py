"""Talking-head videos whose truth is known, made from one public-domain portrait."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
