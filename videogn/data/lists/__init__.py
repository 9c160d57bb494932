"""Text and JSON lists of videos, and the official lists of data sets, as rows. No video is opened.

reading.py     a file to rows: the official formats in turn, then a table with a heading, then lines of "path label"
listed.py      what a list gives: rows, class names, other spellings of labels, splits
path_lines.py  lines of "path label"
tables.py      columns with or without a heading; columns.py says which is which; separators.py divides a line
places.py      files that a list names by id

One module for each official format. A new one is a function that reads it, one that recognises it, and a line of
`reading.TEXT_FORMATS` or `reading.JSON_FORMATS`.
"""
