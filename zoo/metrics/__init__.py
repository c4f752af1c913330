"""Figures of motion: arrays in, numbers out, so that they score any system's motion."""
