"""The Parquet index of a data set: one row for each video, with the result of checking its file.

listing.py       videos that a source lists, before any of them is opened
file_states.py   size and time of change of files; file_checks.py opens those that are new or changed
catalogue.py     columns and facts of an index; a new column is a field of `catalogue.FOUND` and of
                 `videogn.video.integrity_report.IntegrityReport`
building.py      `videogn data index`; index_check.py `videogn data check`; resizing.py `videogn data resize`
"""
