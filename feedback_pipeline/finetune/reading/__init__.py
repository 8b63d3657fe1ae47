"""The trainer's side: finding, pulling, checking, opening, exporting and comparing. A small install is enough."""
