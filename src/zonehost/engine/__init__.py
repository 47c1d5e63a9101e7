"""Use cases: what the API's verbs do, one verb a module, over ports alone.

`host` is what every verb works on; `state` is what the host holds in memory; the other packages have the verbs, a
package a kind of thing.
"""
