"""Data sets: from a source of videos to batches of decoded samples.

sources.py      `read_index`: any layout of labels to a table of videos; class_folders.py, lists/, shards.py,
                parquet_index.py read one layout each. A new layout is a function there and a line of `read_index`
video_index.py  the table of videos; records.py holds its rows
splits.py       the train, val and test sources of a data set; data_layout.py decides what a root holds
inspection.py   what is odd about a data set: left_out.py, empty_classes.py and leaks.py find it
plans.py        the views of a video; sample.py decodes them; dataset.py, sampler.py, loader.py, datamodule.py
"""
