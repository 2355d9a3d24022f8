"""One module an outside system. Each owns its paging, time-outs, retries and token life, and translates errors once."""
