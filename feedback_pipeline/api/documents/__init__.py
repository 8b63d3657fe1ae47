"""What is sent and answered, one module per thing it is about.

A document says which fields there are and of which JSON type they are. What a value may hold is judged by
``intake.validation``, so that a record is judged alike whether it comes by file or by HTTP.
"""
