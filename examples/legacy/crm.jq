# A nested dump of a CRM: nulls everywhere, records of other kinds between those of customers, empty lists.

# What is null, and what is empty once that is gone, is left out, however deep.
def without_nulls:
  if type == "object" then
    with_entries(select(.value != null) | .value |= without_nulls | select(.value != {} and .value != []))
  elif type == "array" then map(select(. != null) | without_nulls)
  else . end;

select(.kind == "customer")
| .record
| without_nulls
| {
    id: .uuid,
    firstName: .person.given,
    middleName: .person.middle,
    lastName: .person.family,
    emails: [.contact.emails[]?.address],
    phoneNumbers: [.contact.phones[]? | {type: (.label // "other"), number: .e164}],
    address: ((.addresses // [] | map(select(.primary)))[0]
      | if . then {line1: .lines[0], line2: .lines[1], city, state: .region, postalCode: (.zip // ""), country} else null end),
    privacySettings: {
      marketingEmailsEnabled: (.consent.marketing // false),
      twoFactorEnabled: (.account.mfa // false)
    }
  }
| without_nulls
