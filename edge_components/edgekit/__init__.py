"""What components share: the record format, ledger reading, Greengrass IPC, backoff, configuration.

`record`, `keys` and `money` import nothing outside the standard library, so that the command line, the Lambda
functions and a till's launcher can use them as they are.
"""
