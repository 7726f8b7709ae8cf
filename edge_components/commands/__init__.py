"""What head office asks of a till: today a new certificate."""
