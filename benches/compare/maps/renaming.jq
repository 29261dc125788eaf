# The least that an export needs: other names and another nesting, with what may be missing.
{
  id: .customer_id,
  firstName: .first_name,
  lastName: .last_name,
  emails: .mails,
  privacySettings: {marketingEmailsEnabled: .consent.newsletter, twoFactorEnabled: .consent.mfa}
}
+ if .middle_name then {middleName: .middle_name} else {} end
+ if .phones then {phoneNumbers: [.phones[] | {type: .kind, number: .no}]} else {} end
+ if .postal then {
    address: (.postal
      | {line1: .street, city: .town, state: .region, postalCode: .zip, country: .country_code}
      + if .street2 then {line2: .street2} else {} end)
  } else {} end
