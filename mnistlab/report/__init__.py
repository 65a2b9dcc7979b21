"""Reports: what run folders say, as a page, a PDF or Markdown.

All but `assignment`, which trains the runs that the assignment needs and does not find, only read.
"""
