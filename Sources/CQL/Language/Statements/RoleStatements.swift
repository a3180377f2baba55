/// CREATE ROLE, ALTER ROLE, and the older CREATE USER and ALTER USER.
package struct RoleDefinitionStatement: Hashable, Sendable {
    package let role: String
    /// IF NOT EXISTS when creating, IF EXISTS when altering.
    package let isConditional: Bool
    /// In the order written. CREATE USER implies nothing here: that it may log in is for its reader to know.
    package let options: [RoleOption]
}

/// One option of a role.
package enum RoleOption: Hashable, Sendable {
    case password(String)
    case hashedPassword(String)
    case generatedPassword
    case superuser(Bool)
    case login(Bool)
    case options([Property.Entry])
    case accessToAllDatacenters
    case accessToDatacenters([String])
    case accessFromAllCIDRs
    case accessFromCIDRs([String])
}

/// DROP ROLE or DROP USER.
package struct DropRoleStatement: Hashable, Sendable {
    package let role: String
    package let ifExists: Bool
}

/// GRANT role TO role, or REVOKE role FROM role.
package struct RoleMembershipStatement: Hashable, Sendable {
    package let role: String
    /// The role that gains or loses the other.
    package let member: String
}

/// LIST ROLES.
package struct ListRolesStatement: Hashable, Sendable {
    package let member: String?
    package let isRecursive: Bool
}

/// ADD IDENTITY: binds the identity of a client certificate to a role.
package struct AddIdentityStatement: Hashable, Sendable {
    package let identity: String
    package let role: String
    package let ifNotExists: Bool
}

/// DROP IDENTITY.
package struct DropIdentityStatement: Hashable, Sendable {
    package let identity: String
    package let ifExists: Bool
}
