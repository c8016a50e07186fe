"""NumPy and numba only: no labels, no checks; the caller allocates what they write.

Every kernel is a serial function over the rows ``lo:hi`` of a batch. An input array of shape
(rows, core...) is followed by an index that gives its row for each row of the batch, so that
an input shared by many rows is stored once. Outputs come next, then the index of the row to
write, then parameters. See ``migproj._apply`` for the caller.
"""
