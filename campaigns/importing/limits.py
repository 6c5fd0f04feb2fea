"""What one file may hold. Memory stays within a few of the largest row, whatever the file."""

BLOCK = 64 * 1024  # bytes that are read at once
MAX_ROW = 1_000_000  # characters in one row of a text file, all of its lines together
MAX_VALUE = 10_000  # characters in one value
MAX_COLUMNS = 256
MAX_SHEET_ROWS = 1_048_576  # Excel's own limit
MAX_SHEET_ROW = 4_000_000  # bytes of XML from one row of a sheet to the next
MAX_SHEET = 1_000_000_000  # bytes of XML in a sheet, which is read row by row
MAX_PART = 64_000_000  # bytes of XML in any other part of a workbook, which is read whole
