"""Datasets and videos on an object store: `s3://`, `gs://`, `memory://`; fsspec's doorway.

    address   which paths are addresses
    remote    the store itself: list, read, whole writes, claims
    cache     files of a store on this disk: here or not yet, fetched when they are opened
    mirror    a dataset or a folder of videos as a folder of the cache
    working   a folder of any files, such as a run, in the cache and on the store

Everything else in the toolkit works on folders, and on those of a store by their mirror.
"""
