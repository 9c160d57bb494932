"""What is in every file of a data set: made once as a Parquet index, verified, and copied to what is cheap to read."""
