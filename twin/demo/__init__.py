"""The whole road in one run: deploy, provision, sell through outages, prove, destroy in seven steps."""
