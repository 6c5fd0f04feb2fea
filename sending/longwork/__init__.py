"""Work that takes a worker long: imports, the queueing of large campaigns, exports. One home for all three.

models.py   the columns and rules of such a row: who has it, until when, how far it is
files.py    files of such rows, kept in PostgreSQL
running.py  a worker's part: one at a time, all or nothing, given up as soon as it is taken away
"""
