"""Reports: what run folders say, as a page, a PDF or Markdown; nothing is trained here."""
