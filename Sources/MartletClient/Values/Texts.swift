public import CQL
public import DataModel
public import Primitives

extension String: CQLValue {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        guard let type else { return .bytes(Array(utf8)) }
        do {
            return .bytes(try type.valueBytes(ofText: self))
        } catch {
            throw ClientError.invalidValue(error.message)
        }
    }

    /// The text of a value; one of a type with parts is shown as a constant in CQL.
    public init(cqlBytes: RawSpan, type: CQLType) throws {
        self = type.plainText(of: cqlBytes) ?? type.cqlLiteral(of: cqlBytes)
    }
}

extension UUID: CQLValue {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        switch type?.kind {
        case nil, .uuid, .timeuuid: return .bytes(bytes)
        default: throw mismatch(self, type ?? .uuid)
        }
    }

    public init(cqlBytes: RawSpan, type: CQLType) throws {
        guard type == .uuid || type == .timeuuid, cqlBytes.byteCount == 16, let identifier = UUID(cqlBytes) else {
            throw unreadable("UUID", type)
        }
        self = identifier
    }
}

extension InetAddress: CQLValue {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        guard type == nil || type == .inet else { throw mismatch(self, type ?? .inet) }
        return .bytes(bytes)
    }

    public init(cqlBytes: RawSpan, type: CQLType) throws {
        guard type == .inet, let address = InetAddress(bytes: [UInt8](copying: cqlBytes)) else {
            throw unreadable("InetAddress", type)
        }
        self = address
    }
}

extension CQLDuration: CQLValue {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        guard type == nil || type == .duration else { throw mismatch(self, type ?? .duration) }
        return .bytes(valueBytes)
    }

    public init(cqlBytes: RawSpan, type: CQLType) throws {
        guard type == .duration, let duration = try? CQLDuration(cqlBytes) else {
            throw unreadable("CQLDuration", type)
        }
        self = duration
    }
}
