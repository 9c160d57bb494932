"""Long videos: probabilities of sliding windows, the segments that they make, and files of both."""
