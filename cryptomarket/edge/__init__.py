"""The edge that HTTP meets before and after the rooms: methods, refusals in words, the document, and its pages."""
