"""A dataset as the files of other programs: one module for each format, clip by clip.

`folder.write_files` writes what a format plans, every file whole, and goes on where it was stopped.
"""
