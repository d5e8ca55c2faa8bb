"""Choose k of n languages: subsets of fixed or bounded size, within include, exclude, budget and quotas.

The sampler is Realingo's; `pip install realingo` brings it.
"""

from realingo import Space, SubsetSampler, surrogate

__all__ = ["Space", "SubsetSampler", "surrogate"]
