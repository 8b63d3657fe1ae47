"""What ratings say of passages: read, heard once per user, weighed, judged. Pure; texts are numbers all the way."""
