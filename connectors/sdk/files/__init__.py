"""Reading exports: a folder (local, SFTP, S3), the newest file in it, and the table in that file."""
