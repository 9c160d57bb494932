"""What containers tell about themselves without a decoder: where they end, and where their structure is broken.

Each module but this one is a family of formats, with two functions of a file that stands at its beginning:

    end(file, length)     where the file ends by its own account; more than `length` if it is cut short; None where it
                          does not say, or is of another format. Cheap enough for every time that a video is opened.
    damage(file, length)  what is broken inside, in one line, or None. It may read the whole file. That the end is
                          missing is no damage.

Demuxers skip what they do not understand, so that frames are lost without an error.
"""
