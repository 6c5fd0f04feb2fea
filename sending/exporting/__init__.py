"""Tables as CSV files: at once where they are small, by a worker where they are large.

sources.py  what can be exported, declared by the room whose it is
models.py   a large export: what was asked for, how far it is, its file
actions.py  what a person can do with one, and the worker's part
admin.py    its screens
"""
