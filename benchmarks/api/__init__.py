"""The API under load: ``serving`` starts servers, ``filling`` gives them data, ``clients`` send, ``report`` prints."""
