# Rows of a CSV file as objects: every value is a text, empty where there is none; phone numbers are in numbered columns, the
# id is a number.

def namespace: "9b7c9b1c-52a8-4d5f-8f0e-7c1f1d2e3a44";

def text: gsub("^\\s+|\\s+$"; "");
def filled: select(. != null and text != "") | text;
def yes: (. // "" | text | ascii_downcase) as $word | any("y", "yes", "1", "true"; . == $word);

. as $row
| [range(1; 4) | tostring | {
    type: ([$row["phone" + . + "_type"] | filled | ascii_downcase][0] // "other"),
    number: ($row["phone" + .] | filled | gsub("[^0-9+]"; ""))
  }] as $phones
| {
    id: (.customer_no | tostring | uuid5(namespace)),
    firstName: (.first_name | text),
    lastName: (.last_name | text),
    emails: [.email1, .email2 | filled | ascii_downcase] | unique,
    privacySettings: {marketingEmailsEnabled: (.newsletter | yes), twoFactorEnabled: false}
  }
+ if $phones == [] then {} else {phoneNumbers: $phones} end
+ if [$row.street | filled] == [] then {} else {
    address: {
      line1: ($row.street | text),
      city: ($row.city | text),
      state: ($row.state | text),
      postalCode: ($row.zip | text),
      country: ($row.country | text | ascii_upcase)
    }
  } end
