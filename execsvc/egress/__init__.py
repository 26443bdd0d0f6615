"""What nodes may call outside: the operator's list, and the HTTP clients that keep to it.

The list alone needs nothing but the standard library; ``network`` brings the HTTP library along.
"""

from execsvc.egress.refusals import AddressNotAllowed, Refusal, ResponseTooLarge
from execsvc.egress.rules import Egress, Rule, Verdict, parse_rule, url_problem

__all__ = ["AddressNotAllowed", "Egress", "Refusal", "ResponseTooLarge", "Rule", "Verdict", "parse_rule", "url_problem"]
