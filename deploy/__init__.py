"""Files of a deployment, and the programs that check them."""
