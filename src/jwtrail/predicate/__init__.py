"""One filter language and its writers: `ir` is what KQL and Sigma lower to; `python`, `sql` and `dsl` write it."""
