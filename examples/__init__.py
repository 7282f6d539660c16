"""Small apps to copy from, each with one topic; the tests synthesize all of them."""
