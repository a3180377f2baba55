/// GRANT … ON … TO, or REVOKE … ON … FROM.
package struct PermissionStatement: Hashable, Sendable {
    package let permissions: PermissionSelection
    package let resource: Resource
    package let role: String
}

/// LIST PERMISSIONS.
package struct ListPermissionsStatement: Hashable, Sendable {
    package let permissions: PermissionSelection
    package let resource: Resource?
    package let role: String?
    package let isRecursive: Bool
}

package enum PermissionSelection: Hashable, Sendable {
    case all
    case some([Permission])
}

/// A right; the raw value is its spelling.
package enum Permission: String, Hashable, Sendable, CaseIterable {
    case create = "CREATE"
    case alter = "ALTER"
    case drop = "DROP"
    case select = "SELECT"
    case modify = "MODIFY"
    case authorize = "AUTHORIZE"
    case describe = "DESCRIBE"
    case execute = "EXECUTE"
    case unmask = "UNMASK"
    case selectMasked = "SELECT_MASKED"
}

/// What a right is about.
package enum Resource: Hashable, Sendable {
    case allKeyspaces
    case keyspace(String)
    case allTables(keyspace: String)
    case table(QualifiedName)
    case allRoles
    case role(String)
    case allFunctions
    case functions(keyspace: String)
    case function(QualifiedName, argumentTypes: [TypeName])
    case allManagementBeans
    case managementBean(String)
    /// The beans that match a pattern.
    case managementBeans(String)
}
