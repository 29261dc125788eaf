# A mongoexport: ids are 24 hexadecimal digits, dates are objects, what is not known is missing.

# A namespace of our own, made once with uuidgen. It must never change: ids come from it.
def namespace: "3d0f5a52-6c1e-4f0b-9a5c-0e6f2b6a9d11";

def kind:
  {cell: "mobile", mobile: "mobile", home: "home", office: "work"}[ascii_downcase] // "other";

# "+49 (0)30 90-1820" to "+4930901820"
def digits: sub("\\(0\\)"; "") | gsub("[^0-9+]"; "");

select(.deletedAt == null)
| {
    id: (._id."$oid" | uuid5(namespace)),
    firstName: .name.first,
    lastName: .name.last,
    emails: [.email | ascii_downcase],
    privacySettings: {
      marketingEmailsEnabled: (.optIn // false),
      twoFactorEnabled: (.security.totpSince."$date" != null)
    }
  }
+ if .name.middle then {middleName: .name.middle} else {} end
+ if .phones then {phoneNumbers: [.phones[] | {type: (.kind | kind), number: (.no | digits)}]} else {} end
