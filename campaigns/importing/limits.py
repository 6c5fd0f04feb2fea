"""What one file may hold. Memory stays within a few of the largest row, whatever the file."""

BLOCK = 64 * 1024  # bytes that are read at once
MAX_ROW = 1_000_000  # characters in one row of a text file, all of its lines together
MAX_VALUE = 10_000  # characters in one value
MAX_COLUMNS = 256
MAX_SHEET_ROWS = 1_048_576  # Excel's own limit
MAX_SHEET_ROW = 4_000_000  # bytes of XML from one row of a sheet to the next
MAX_SHEETS = 1_000_000_000  # bytes of XML in all sheets, which are read row by row
MAX_STRINGS = 64_000_000  # bytes of XML in the strings that a workbook's cells share, which stay in memory
MAX_PART = 16_000_000  # bytes of XML in any other part of a workbook, which is read whole
MAX_FILE = 200_000_000  # bytes of an upload
