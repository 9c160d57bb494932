"""A path and frame indices to uint8 frames: one table of a file's frames, and the decoders behind one door.

A new decoder is a module `NAME_reader.py` with a subclass of `foreign_reader.ForeignReader`, a line of
`readers.READERS`, and its name in `videogn.choices.DecoderName`. Tests compare its frames with PyAV's.

    decode.py          the door: open a video, ask for frames
    frame_table.py     the frames of a file: number, time stamps, key frames; made from packet_list.py, packets.py
    survey.py          what the packets told, as a short text that an index keeps
    stream.py          opening and decoding forward with PyAV
    readers.py         decoders by name; pyav_reader.py, decord_reader.py, torchcodec_reader.py
    pixel_aspect.py    from stored pixels to displayed proportions
    image_folder.py    a folder of numbered images as a video; images.py, image_reader.py
    guard.py, cache.py the same door in a process that can be killed, and with whole videos kept in memory
"""
