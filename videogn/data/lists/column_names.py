"""What columns of lists are called, in small letters and with "_" for blanks and hyphens."""

from __future__ import annotations

_PATHS = """
path paths video_path videopath filepath file_path file files filename file_name fname video videos video_name videoname
video_file videofile video_id videoid clip clip_id clip_path clip_name clipname vid vid_name vid_path uri url
relative_path frames_path frame_dir frames_dir
"""
_LABELS = """
label labels label_name label_id labelid labelname label_idx class classes class_name classname class_id classid
class_label class_idx class_index category category_name category_id action action_name action_label action_id activity
target tag y gt ground_truth gloss gesture emotion
"""
_FACTS = """
id index idx duration length seconds fps frames num_frames n_frames nframes frame_count width height size bytes codec
subject person fold score
"""

#: Names of a label's column under which several labels in a field are several labels of the video.
SEVERAL = frozenset(("labels", "classes", "tags", "actions", "categories", "label_names", "class_names"))
PATH_NAMES = frozenset(_PATHS.split())
LABEL_NAMES = frozenset(_LABELS.split())
SPLIT_COLUMNS = frozenset(("split", "subset", "partition", "set"))
#: Columns that describe a video and are not what it shows; pandas writes its row numbers under no name.
FACTS = frozenset(["", *_FACTS.split()])
