"""Reports: what run folders say, as a page and as a PDF.

All but `assignment`, which trains the runs that the assignment needs and does not find, only read.
"""
