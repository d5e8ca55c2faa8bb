"""What a study comes to, as frozen values: a confirmation, the trials, how a search stands.

Each has `to_json` and `from_json`, which is the one place where such a document is validated; tables have
`to_dataframe`, where pandas is installed.
"""

from search.results.confirmation import Confirmation as Confirmation
from search.results.confirmation import ConfirmationCost as ConfirmationCost
from search.results.confirmation import ConfirmedRow as ConfirmedRow
from search.results.confirmation import Luck as Luck
from search.results.confirmation import Race as Race
from search.results.estimates import Difference as Difference
from search.results.estimates import Estimate as Estimate
from search.results.estimates import Interval as Interval
from search.results.estimates import Noise as Noise
from search.results.trials import Recommendation as Recommendation
from search.results.trials import SearchStatus as SearchStatus
from search.results.trials import TrialRecord as TrialRecord
